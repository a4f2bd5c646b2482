import { Empty } from "~/components/Notice";
import { common } from "~/strings/common";

export function NotFound() {
  return <Empty title={common.notFoundTitle}>{common.notFoundText}</Empty>;
}
