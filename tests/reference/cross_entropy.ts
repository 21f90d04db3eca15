/** Cross-entropy of `[rows, classes]` scores and its gradient for an upstream one, in f64. */
export function crossEntropyReference(
  x: ArrayLike<number>,
  labels: readonly number[],
  classes: number,
  dy: ArrayLike<number>,
): { y: number[]; dx: number[] } {
  const y: number[] = [], dx: number[] = [];
  labels.forEach((label, row) => {
    const scores = Array.from({ length: classes }, (_, k) => x[row * classes + k]!);
    const top = Math.max(...scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0);
    y.push(Math.log(sum) + top - scores[label]!);
    scores.forEach((score, k) => {
      dx.push(dy[row]! * (Math.exp(score - top) / sum - (k === label ? 1 : 0)));
    });
  });
  return { y, dx };
}
