//! Colours, shapes and text widths, the same in every figure.
//!
//! Colours are those of Okabe & Ito (2008, *Color universal design*), which colour-blind readers can distinguish, and
//! lighter variants for dark screens. Methods also differ in shape.

use crate::number::joined;
use promptshift_numbers::recipe::Method;

/// A colour, by its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Text.
    Ink,
    /// Secondary text and lines.
    Faint,
    /// Grid lines.
    Grid,
    /// The untuned backbone.
    Untuned,
    /// The series with this index.
    Series(usize),
}

/// The number of colours for series.
const SERIES: usize = 7;

/// A CSS class, its colour on a light and on a dark background.
const COLOURS: [(&str, &str, &str); 5 + SERIES] = [
    ("paper", "#FFFFFF", "#16191D"),
    ("ink", "#282828", "#E6E8EA"),
    ("faint", "#6E6E6E", "#A4ADB6"),
    ("grid", "#E1E1E1", "#343A42"),
    ("untuned", "#5A5A5A", "#BEBEBE"),
    ("c0", "#0072B2", "#56B4E9"),
    ("c1", "#D55E00", "#E69F00"),
    ("c2", "#009E73", "#40D6A8"),
    ("c3", "#CC79A7", "#E6A0C8"),
    ("c4", "#E69F00", "#FADC5A"),
    ("c5", "#56B4E9", "#BEC8FF"),
    ("c6", "#000000", "#F5F5F5"),
];

/// The style sheet of every figure, with colours for light and dark screens.
pub(super) fn sheet() -> String {
    let rules =
        |of: fn(&(&str, &str, &str)) -> String| -> String { joined("\n", COLOURS.iter().map(of)) };
    format!(
        "<style>\n.chart text {{ font-family: system-ui, -apple-system, \"Segoe UI\", Roboto, \"DejaVu Sans\", sans-serif; \
         fill: currentColor; dominant-baseline: central; }}\n\
         .chart .fill {{ fill: currentColor; }}\n\
         .chart .line {{ fill: none; stroke: currentColor; }}\n{}\n\
         @media screen and (prefers-color-scheme: dark) {{\n{}\n}}\n</style>\n",
        rules(|(class, paper, _)| format!(".chart .{class} {{ color: {paper}; }}")),
        rules(|(class, _, dark)| format!(".chart .{class} {{ color: {dark}; }}")),
    )
}

/// The number that a method's colour and shape are taken from. Methods that joined the list between others are numbered
/// last, so that a method has the same marks in reports of every version.
fn mark(method: Method) -> usize {
    const JOINED: [Method; 2] = [Method::Dora, Method::Vera];
    match JOINED.iter().position(|joined| *joined == method) {
        Some(place) => Method::ALL.len() - JOINED.len() + place,
        None => method as usize - JOINED.iter().filter(|joined| **joined < method).count(),
    }
}

impl Colour {
    /// A method's colour.
    pub fn of(method: Method) -> Colour {
        match method {
            Method::Prompt => Colour::Series(0),
            Method::Model => Colour::Series(1),
            Method::Untuned => Colour::Untuned,
            other => Colour::Series(2 + mark(other) % (SERIES - 2)),
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Colour::Ink => "ink",
            Colour::Faint => "faint",
            Colour::Grid => "grid",
            Colour::Untuned => "untuned",
            Colour::Series(number) if number < 2 => COLOURS[5 + number].0,
            Colour::Series(number) => COLOURS[7 + (number - 2) % (SERIES - 2)].0,
        }
    }
}

/// The shape of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A disc.
    Circle,
    /// A circle filled with the background colour.
    HollowCircle,
    /// A wide circle around another point.
    Ring,
    Square,
    Diamond,
    /// A diamond filled with the background colour.
    HollowDiamond,
    /// A triangle pointing up.
    Up,
    /// A triangle pointing down.
    Down,
    Cross,
}

impl Shape {
    /// A method's shape. Combinations of five colours and four shapes distinguish twenty methods.
    pub fn of(method: Method) -> Shape {
        match method {
            Method::Prompt => Shape::Circle,
            Method::Model => Shape::Square,
            Method::Untuned => Shape::HollowDiamond,
            other => [Shape::Up, Shape::Down, Shape::Diamond, Shape::Cross][mark(other) % 4],
        }
    }
}

/// The width of text in pixels, in the widest font that a reader may have (DejaVu Sans).
pub(super) fn width(words: &str, size: f64) -> f64 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.34,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '→' => 0.99,
        'A'..='Z' => 0.74,
        '−' | '±' | '+' | '=' => 0.84,
        _ => 0.64,
    };
    size * words.chars().map(em).sum::<f64>()
}

/// Wraps text into lines no wider than `room`, after spaces, underscores and bars; a wider word gets its own line.
pub(super) fn wrap(words: &str, size: f64, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for part in words.split_inclusive([' ', '_', '|']) {
        let last = lines.last().map_or("", String::as_str);
        if !last.is_empty() && width(&format!("{last}{}", part.trim_end()), size) > room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(part);
        }
    }
    (lines.iter())
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Moves labels apart: keeps their order and a distance of at least `gap` between neighbours, with the same mean
/// position as before.
pub(super) fn spread(wanted: &[f64], gap: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    let mut placed = wanted.to_vec();
    for pair in order.windows(2) {
        let least = placed[pair[0]] + gap;
        placed[pair[1]] = placed[pair[1]].max(least);
    }
    let shift: f64 = placed.iter().zip(wanted).map(|(at, from)| at - from).sum();
    let back = shift / wanted.len().max(1) as f64;
    placed.iter().map(|place| place - back).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_order_and_distance() {
        assert_eq!(spread(&[100.0, 50.0], 14.0), [100.0, 50.0]);
        assert_eq!(spread(&[50.0, 50.0], 14.0), [43.0, 57.0]);
        assert_eq!(spread(&[], 14.0), Vec::<f64>::new());
    }

    #[test]
    fn lines_are_no_wider_than_allowed() {
        let lines = wrap("adapted as a language model", 12.0, 100.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| width(line, 12.0) <= 100.0));
        assert_eq!(lines.join(" "), "adapted as a language model");
        assert_eq!(
            wrap("relation_extraction", 12.0, 90.0),
            ["relation_", "extraction"]
        );
        assert_eq!(wrap("", 12.0, 90.0), [""]);
    }

    #[test]
    fn at_least_twenty_methods_have_distinct_marks() {
        let offered: Vec<Method> = Method::offered().collect();
        let mark = |method: Method| (Colour::of(method).class(), Shape::of(method) as usize);
        let mut marks: Vec<_> = offered.iter().map(|method| mark(*method)).collect();
        marks.sort_unstable();
        marks.dedup();
        assert!(marks.len() >= offered.len().min(20), "{}", marks.len());
    }
}
