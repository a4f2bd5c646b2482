import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Servers() {
  return <PageHeader title={shell.nav.servers} />;
}
