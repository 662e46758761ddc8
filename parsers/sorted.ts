/** Finds the index of the last number that is not above `wanted`; −1 when all are above. */
export function lastAtOrBelow<N extends number | bigint>(sorted: ArrayLike<N>, wanted: N): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as N) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
