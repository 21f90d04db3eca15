/** The cells of a printed table's rows, its head included. */
export function cells(text: string): string[][] {
  return text.split("\n").filter((line) => line.startsWith("│"))
    .map((line) => line.split("│").slice(1, -1).map((cell) => cell.trim()));
}
