//! Checks the positions of text in figures.

use super::*;
use crate::analyse;
use crate::fixture::{Fixture, as_method, assert_has};
use promptshift_numbers::record::folder::StoredRecord;

/// A line of text: its left and right ends and its vertical middle, in pixels.
type Words = (f64, f64, f64, f64, String);

fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
    let start = element.find(&format!(" {name}=\"")).expect(name) + name.len() + 3;
    element[start..].split('"').next().expect("it ends")
}

fn words(svg: &str) -> Vec<Words> {
    let texts = svg.lines().filter(|line| line.starts_with("<text"));
    texts
        .map(|line| {
            let number = |name| attribute(line, name).parse::<f64>().expect("a number");
            let inside = line.split(['>', '<']).nth(2).expect("words");
            let inside = inside.replace("&lt;", "<").replace("&gt;", ">");
            let (x, y, size) = (number("x"), number("y"), number("font-size"));
            let wide = style::width(&inside, size);
            let left = match attribute(line, "text-anchor") {
                "start" => x,
                "middle" => x - wide / 2.0,
                _ => x - wide,
            };
            (left, left + wide, y, size, inside)
        })
        .collect()
}

/// Asserts that no texts overlap and all are inside the figure.
fn assert_legible(figure: &Figure) {
    let name = &figure.name;
    let head = figure.svg.lines().next().expect("an element");
    let size = |name| attribute(head, name).parse::<f64>().expect("a number");
    let all = words(&figure.svg);
    assert!(all.len() > 3, "{name}: {}", figure.svg);
    for (place, (left, right, y, size_of, text)) in all.iter().enumerate() {
        let holds = *left >= 0.0 && *right <= size("width") && *y > 0.0 && *y < size("height");
        assert!(holds, "{name}: '{text}' leaves the figure");
        for (other_left, other_right, other_y, other_size, other) in &all[place + 1..] {
            let beside = right < other_left || other_right < left;
            let apart = (y - other_y).abs() >= 0.9 * size_of.max(*other_size);
            assert!(beside || apart, "{name}: '{text}' overlaps '{other}'");
        }
    }
}

fn figures_of(records: &[StoredRecord]) -> Vec<Figure> {
    let report = analyse(records, &[]).expect("consistent");
    report.document.figures().cloned().collect()
}

#[test]
fn texts_in_figures_do_not_overlap() {
    for fixture in [
        Fixture::one_target(),
        Fixture::six_targets(),
        Fixture::pairs(),
    ] {
        for figure in figures_of(&fixture.records()) {
            assert_legible(&figure);
        }
    }
}

#[test]
fn labels_of_equal_scores_are_moved_apart() {
    let mut records = Fixture::one_target().records();
    for method in [Method::Lora, Method::Bitfit, Method::Ia3, Method::Prefix] {
        records.extend(as_method(&records, method));
    }
    for figure in figures_of(&records) {
        assert_legible(&figure);
    }
}

#[test]
fn a_figure_has_classes_and_its_alternative_text() {
    let rows = vec![vec![1.0, -0.5], vec![-0.5, 1.0]];
    let names = [(0, "a <long> name".to_owned()), (1, "b".to_owned())];
    let figure = matrix("Likeness", &rows, &names).figure("m.svg", "Likeness & more");
    assert_legible(&figure);
    let svg = &figure.svg;
    assert_has(svg, "aria-label=\"Likeness &amp; more\"");
    assert_has(svg, "a &lt;long&gt; name");
    assert_has(svg, "class=\"c1 fill\"");
    assert_has(svg, "prefers-color-scheme: dark");
    // Colours are only in the style sheet.
    let drawn = svg.split("</style>").nth(1).expect("after the style");
    assert!(!drawn.contains('#') && !drawn.contains("rgb("), "{drawn}");
}
