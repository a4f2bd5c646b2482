/** Links to pages of the dashboard that look like Mantine's text and buttons. */
import { Anchor, type AnchorProps, Button, type ButtonProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import { type AnchorHTMLAttributes, forwardRef } from "react";

type Attributes<P> = P & Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof P>;

export const TextLink = createLink(
  forwardRef<HTMLAnchorElement, Attributes<AnchorProps>>((props, ref) => <Anchor ref={ref} {...props} />),
);

export const ButtonLink = createLink(
  forwardRef<HTMLAnchorElement, Attributes<ButtonProps>>((props, ref) => <Button component="a" ref={ref} {...props} />),
);
