export async function doctorCommand(_options: { json?: boolean; bpftrace: string }): Promise<number> {
  return 0;
}
