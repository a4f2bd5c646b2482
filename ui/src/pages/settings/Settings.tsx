import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Settings() {
  return <PageHeader title={shell.nav.settings} />;
}
