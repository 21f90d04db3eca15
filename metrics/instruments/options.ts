/**
 * What a run may choose about the instruments that watch it.
 *
 * @module
 */

/** Options of the instruments. None of them changes what is learnt. */
export interface InstrumentOptions {
  /** Whether losses by frequency band and timestep are logged with every loss. Default true. */
  bandLoss: boolean;
  /** Bins of timesteps, of equal width, of those losses. Default 10. */
  timestepBins: number;
  /** Whether power spectra are logged with every preview. Default true. */
  spectra: boolean;
  /** Training images whose noisy versions and predictions are transformed. Default 64. */
  spectraCount: number;
  /** Timesteps at which they are, as shares of T in [0, 1). Default 0.02, 0.05, 0.1, 0.2, 0.4, 0.7. */
  spectraTimesteps: number[];
  /** Training images that samples are compared with, spread over the set. Default 1024. */
  spectraReference: number;
}
