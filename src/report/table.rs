//! A small table that prints to a terminal and to HTML.

use std::fmt;

use askama::Template;

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of text under a header. `to_string()` is the form for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let (header, align) = columns.into_iter().map(|(name, align)| (name.to_owned(), align)).unzip();
        Table { header, align, rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing stay blank; cells beyond the last column are dropped.
    pub fn push(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.header.len(), String::new());
        self.rows.push(row);
    }

    /// The rows, without the header.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// An HTML `<table>`; all text is escaped.
    pub fn to_html(&self) -> String {
        // Writing into a String cannot fail.
        HtmlTable { table: self }.render().unwrap_or_default()
    }

    fn width_of_column(&self, column: usize) -> usize {
        std::iter::once(&self.header)
            .chain(&self.rows)
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    }
}

impl fmt::Display for Table {
    /// Columns two spaces apart, a rule under the header, no spaces at the end of a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.header.len()).map(|column| self.width_of_column(column)).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        for row in [&self.header, &rule].into_iter().chain(&self.rows) {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .zip(&self.align)
                .map(|((cell, width), align)| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// The attribute `align` is old, but it is what GitHub and an untrusted notebook let through; styles are stripped there.
#[derive(Template)]
#[template(
    ext = "html",
    source = "<table>
<thead><tr>{% for cell in table.header %}<th{{ table.attribute(loop.index0) }}>{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in table.rows %}
<tr>{% for cell in row %}<td{{ table.attribute(loop.index0) }}>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody>
</table>
"
)]
struct HtmlTable<'a> {
    table: &'a Table,
}

impl Table {
    fn attribute(&self, column: &usize) -> askama::filters::Safe<&'static str> {
        askama::filters::Safe(match self.align[*column] {
            Align::Left => " align=\"left\"",
            Align::Right => " align=\"right\"",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Table {
        let mut table = Table::new([("method", Align::Left), ("last %", Align::Right)]);
        table.push(["HDA", "72.8"]);
        table.push(["a|b <i>", "5.0"]);
        table
    }

    #[test]
    fn plain_text_is_aligned_and_no_wider_than_needed() {
        let expected = "\
method   last %
-------  ------
HDA        72.8
a|b <i>     5.0
";
        assert_eq!(example().to_string(), expected);
    }

    #[test]
    fn html_is_escaped() {
        let html = example().to_html();
        assert!(html.contains("<tr><td align=\"left\">HDA</td><td align=\"right\">72.8</td></tr>"), "{html}");
        assert!(html.contains("a|b &#60;i&#62;"), "{html}");
        assert!(!html.contains("<i>"));
    }

    #[test]
    fn short_rows_are_filled_and_long_ones_cut() {
        let mut table = Table::new([("a", Align::Left), ("b", Align::Left)]);
        table.push(["1"]);
        table.push(["1", "2", "3"]);
        assert_eq!(table.rows(), [["1", ""], ["1", "2"]]);
        assert_eq!(table.to_string(), "a  b\n-  -\n1\n1  2\n");
    }
}
