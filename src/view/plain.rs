//! Tables for pipes, in the layout of Go's `tabwriter` with a padding of two. Scripts parse this form.
//!
//! Widths are counted in code points, like Go does. Table crates count terminal columns, so their output would
//! differ for names in wide characters.

use crate::message::escape;

/// Formats one line per row. Cells are padded to the width of their column and separated by two spaces. The last
/// column is not padded, and every line ends right after its last cell, even if the row's last cells are empty.
/// Control characters in cells are escaped.
pub(super) fn layout<R: AsRef<[S]>, S: AsRef<str>>(rows: &[R]) -> String {
    let cells: Vec<Vec<_>> =
        rows.iter().map(|row| row.as_ref().iter().map(|cell| escape(cell.as_ref())).collect()).collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::with_capacity(cells.len() * (widths.iter().sum::<usize>() + 2 * columns + 1));
    for row in &cells {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < row.len() {
                let padding = widths[column] + 2 - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::layout;

    #[test]
    fn columns_are_aligned_by_code_points() {
        let rows = [["NAME", "GLOBAL?", "SECURE?"], ["ä✓", "✓", "✓"], ["longer", "", "✗!"]];
        assert_eq!(layout(&rows), "NAME    GLOBAL?  SECURE?\nä✓      ✓        ✓\nlonger           ✗!\n");
    }

    #[test]
    fn control_characters_in_cells_are_escaped() {
        assert_eq!(layout(&[["a\nb", "c"]]), "a\\nb  c\n");
        assert_eq!(layout::<[&str; 0], &str>(&[]), "");
    }
}
