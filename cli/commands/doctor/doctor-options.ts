/** The options of doctor, as commander leaves them. */
export interface DoctorOptions {
  readonly json?: boolean;
  readonly bpftrace: string;
}
