/**
 * What the launcher of an MPI job tells each process that it starts, before MPI is loaded.
 *
 * @module
 */

/** What a launcher tells each process that it starts. */
export interface Launch {
  readonly rank: number;
  readonly size: number;
  /** Number of the process among those on its machine. */
  readonly localRank: number;
}

/** Variables of rank, size and rank on the machine: of Open MPI, of MPICH's Hydra, and of Slurm. */
const LAUNCHERS = [
  ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"],
  ["PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"],
  ["PMIX_RANK", "SLURM_NTASKS", "SLURM_LOCALID"],
] as const;

/** Where variables come from. */
export type Environment = { get(name: string): string | undefined };

/** How this process was started, if by a launcher of MPI; several processes are told apart before MPI is. */
export function launchOf(env: Environment): Launch | null {
  for (const names of LAUNCHERS) {
    const [rank, size, localRank] = names.map((name) => Number(env.get(name) || NaN));
    if (!Number.isInteger(rank) || !Number.isInteger(size)) continue;
    return {
      rank: rank!,
      size: size!,
      localRank: Number.isInteger(localRank) ? localRank! : rank!,
    };
  }
  return null;
}
