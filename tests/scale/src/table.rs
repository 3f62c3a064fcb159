//! Tables and numbers in Markdown.

/// A table whose first column is text and whose others are numbers.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let ruler = format!("|---{}|\n", "|---:".repeat(head.len() - 1));
    let rows: String = rows.iter().map(|row| line(row)).collect();
    line(&head) + &ruler + &rows
}

/// Three digits, and commas between thousands.
pub(crate) fn number(value: f64) -> String {
    match value {
        0.0..0.995 => format!("{value:.2}"),
        0.995..9.95 => format!("{value:.1}"),
        0.0..1_000.0 => format!("{value:.0}"),
        _ => {
            let digits = 10_f64.powf(value.log10().floor() - 2.0);
            with_commas((value / digits).round() * digits)
        }
    }
}

fn with_commas(value: f64) -> String {
    let digits = format!("{value:.0}");
    let from_the_end = digits.bytes().rev().map(char::from).collect::<Vec<_>>();
    let groups: Vec<String> = from_the_end.chunks(3).rev().map(|group| group.iter().rev().collect()).collect();
    groups.join(",")
}

/// Bytes in the largest unit that leaves at least 1 of it.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (value as f64, 0);
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    format!("{} {}", number(value), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::{bytes, number, table};

    #[test]
    fn numbers_have_two_to_three_digits() {
        let texts = [0.0, 0.04, 0.999, 9.94, 9.96, 99.7, 999.0, 1_234.0, 86_450_000.0].map(number);
        assert_eq!(texts, ["0.00", "0.04", "1.0", "9.9", "10", "100", "999", "1,230", "86,500,000"]);
    }

    #[test]
    fn bytes_have_a_unit() {
        assert_eq!([999, 1_000, 1 << 20, 5 << 40].map(bytes), ["999 B", "0.98 KiB", "1.0 MiB", "5.0 TiB"]);
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let text = table(&["a", "b"], &[vec!["x".to_owned(), "1".to_owned()]]);
        assert_eq!(text, "| a | b |\n|---|---:|\n| x | 1 |\n");
    }
}
