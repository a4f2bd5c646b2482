import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Overview() {
  return <PageHeader title={shell.nav.overview} />;
}
