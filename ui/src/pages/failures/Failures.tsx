import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Failures() {
  return <PageHeader title={shell.nav.failures} />;
}
