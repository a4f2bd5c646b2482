import { getRouteApi } from "@tanstack/react-router";
import QueueBanner from "./QueueBanner";

const route = getRouteApi("/queues/$queue");

export default function Queue() {
  return <QueueBanner name={route.useParams().queue} />;
}
