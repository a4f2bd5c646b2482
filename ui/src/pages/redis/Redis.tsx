import { PageHeader } from "~/components/PageHeader";
import { shell } from "~/strings/shell";

export default function Redis() {
  return <PageHeader title={shell.nav.redis} />;
}
