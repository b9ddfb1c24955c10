//! Aligned tables for people: words to the left, numbers to the right, and with them a dash for no number.

/// Lays out a header and its rows, each line ending in a newline.
pub fn layout(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut lines: Vec<Vec<&str>> = vec![header.to_vec()];
    lines.extend(rows.iter().map(|row| row.iter().map(String::as_str).collect()));
    let column = |i: usize| lines.iter().map(move |line| line.get(i).copied().unwrap_or(""));
    let widths: Vec<_> =
        (0..header.len()).map(|i| column(i).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
    let numeric: Vec<_> =
        (0..header.len()).map(|i| column(i).skip(1).all(|cell| cell == "-" || cell.parse::<f64>().is_ok())).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().enumerate().map(|(i, cell)| {
            let width = widths[i];
            if numeric[i] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_left_and_numbers_right() {
        let rows = [["a", "1.5"], ["long", "100"]].map(|row| row.map(str::to_owned).to_vec());
        let expected = "case   us\na     1.5\nlong  100\n";
        assert_eq!(layout(&["case", "us"], &rows), expected);
    }

    #[test]
    fn a_dash_stands_where_a_number_would() {
        let rows = [["a", "-"], ["b", "100"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(layout(&["case", "us"], &rows), "case   us\na       -\nb     100\n");
    }

    #[test]
    fn a_table_without_rows_is_its_header() {
        assert_eq!(layout(&["case", "us"], &[]), "case  us\n");
    }
}
