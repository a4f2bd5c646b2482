/** Links to what is named on the page of a task. */
import { Anchor, type AnchorProps } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { FailureSearch, TaskSearch } from "~/routes";

interface Props extends AnchorProps {
  children: ReactNode;
}

export function QueueLink({ queue, ...rest }: Props & { queue: string }) {
  return <Anchor {...rest} renderRoot={(props) => <Link to="/queues/$queue" params={{ queue }} {...props} />} />;
}

export function TaskLink({ queue, taskId, ...rest }: Props & { queue: string; taskId: string }) {
  return (
    <Anchor
      {...rest}
      renderRoot={(props) => <Link to="/queues/$queue/tasks/$taskId" params={{ queue, taskId }} {...props} />}
    />
  );
}

export function ServerLink({ server, ...rest }: Props & { server?: string }) {
  return <Anchor {...rest} renderRoot={(props) => <Link to="/servers" search={{ server }} {...props} />} />;
}

export function FailuresLink({ search, ...rest }: Props & { search: FailureSearch }) {
  return <Anchor {...rest} renderRoot={(props) => <Link to="/failures" search={search} {...props} />} />;
}

export function SearchLink({ search, ...rest }: Props & { search: TaskSearch }) {
  return <Anchor {...rest} renderRoot={(props) => <Link to="/tasks" search={search} {...props} />} />;
}
