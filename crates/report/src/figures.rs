//! Figures in SVG: scores from source to targets, target against source, reliability, score against
//! cost, learning curves, and the search for recipes. Each holds its own title, words for readers who cannot see it, and colours for
//! light and dark screens.

mod axis;
mod budget;
mod costs;
mod curves;
mod growth;
mod legend;
mod matrix;
pub mod places;
mod ranking;
mod reliability;
mod scale;
mod scatter;
mod shares;
mod slopes;
mod style;
mod words;

use std::collections::BTreeMap;
use std::error::Error;

use plotters::prelude::{IntoDrawingArea, SVGBackend};

use super::comparison::Comparison;
use super::error::ReportError;
use super::k_shot;
use super::number::list;
use super::page::escaped;
use super::study::Study;
pub use shares::Shares;
use style::Canvas;

/// A figure and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Its file's name.
    pub name: String,
    /// What it shows, for readers who cannot see it.
    pub title: String,
    /// The picture.
    pub svg: String,
}

/// What a drawing function returns: the library's errors differ in type by backend.
type Drawn = Result<(), Box<dyn Error>>;

/// All figures of a study; `suffix` keeps the names of several studies apart.
pub fn draw(
    study: &Study,
    comparison: &Comparison,
    suffix: &str,
) -> Result<Vec<Figure>, ReportError> {
    let mut figures = Vec::new();
    if comparison.is_of_many() {
        figures.push(picture(
            format!("methods{suffix}.svg"),
            words::ranking(comparison),
            ranking::size(comparison),
            |canvas| ranking::draw(canvas, comparison),
        )?);
    }
    let featured = comparison.featured();
    let comparison = &featured;
    figures.push(picture(
        format!("scores{suffix}.svg"),
        words::slopes(comparison),
        slopes::size(comparison),
        |canvas| slopes::draw(canvas, comparison),
    )?);
    if comparison.tuned().next().is_some() {
        figures.push(picture(
            format!("shift{suffix}.svg"),
            words::scatter(comparison),
            scatter::size(comparison),
            |canvas| scatter::draw(canvas, comparison),
        )?);
        figures.push(picture(
            format!("reliability{suffix}.svg"),
            words::reliability(comparison),
            reliability::size(comparison),
            |canvas| reliability::draw(canvas, comparison),
        )?);
    }
    if comparison.tuned().count() > 1 {
        figures.push(picture(
            format!("costs{suffix}.svg"),
            words::costs(comparison),
            costs::size(comparison),
            |canvas| costs::draw(canvas, comparison),
        )?);
    }
    if let Some(size) = curves::size(study, comparison) {
        figures.push(picture(
            format!("curves{suffix}.svg"),
            words::curves(study, comparison),
            size,
            |canvas| curves::draw(canvas, study, comparison),
        )?);
    }
    if !comparison.statistics.searches.is_empty() {
        figures.push(picture(
            format!("budget{suffix}.svg"),
            words::budget(comparison),
            budget::size(comparison),
            |canvas| budget::draw(canvas, comparison),
        )?);
    }
    figures.extend(k_shot::figure(comparison, suffix).transpose()?);
    Ok(figures)
}

/// How like each other the rows of a square matrix are, as shades from −1 to 1; `names` stand at some
/// of the rows.
///
/// # Errors
/// The drawing library fails.
pub fn similarities(
    name: &str,
    title: &str,
    rows: &[Vec<f64>],
    names: &[(usize, String)],
) -> Result<Figure, ReportError> {
    picture(
        name.to_owned(),
        title.to_owned(),
        matrix::size(rows.len(), names),
        |canvas| matrix::draw(canvas, title, rows, names),
    )
}

/// The share of the parameters that each method trains.
///
/// # Errors
/// The drawing library fails.
pub fn shares(name: &str, shares: &Shares) -> Result<Figure, ReportError> {
    let title = format!(
        "Share of the parameters that each of {} methods trains, on {}.",
        shares.methods.len(),
        list(&shares.models)
    );
    picture(name.to_owned(), title, shares::size(shares), |canvas| {
        shares::draw(canvas, shares)
    })
}

/// How the time a token grows with the input: of each model, input tokens and microseconds a token,
/// from the shortest input on.
pub fn growth(
    lines: &BTreeMap<String, Vec<(usize, f64)>>,
    operations: &BTreeMap<String, Vec<(usize, f64)>>,
) -> Result<Figure, ReportError> {
    let words: Vec<String> = lines
        .iter()
        .map(|(name, points)| {
            let points: Vec<String> = points
                .iter()
                .map(|(length, time)| format!("{time:.1} µs at {length}"))
                .collect();
            format!("{name}: {}", points.join(", "))
        })
        .collect();
    let title = format!("Time a token against input length. {}.", words.join("; "));
    picture("growth.svg".to_owned(), title, growth::SIZE, |canvas| {
        growth::draw(canvas, lines, operations)
    })
}

/// Draws one figure; `title` is what it shows, in words.
pub(super) fn picture(
    name: String,
    title: String,
    size: (u32, u32),
    draw: impl FnOnce(&Canvas) -> Drawn,
) -> Result<Figure, ReportError> {
    let mut svg = String::new();
    let drawn = {
        let canvas = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&canvas).and_then(|()| Ok(canvas.present()?))
    };
    let failed = |reason: String| ReportError::Figure {
        figure: name.clone(),
        reason,
    };
    drawn.map_err(|error| failed(error.to_string()))?;
    let svg = described(&svg, &title, size.0)
        .ok_or_else(|| failed("wanted an <svg> element, found none".to_owned()))?;
    Ok(Figure { name, title, svg })
}

/// The picture with its words and its dark colours: as a file it must stand by itself.
fn described(svg: &str, title: &str, width: u32) -> Option<String> {
    let (head, rest) = svg.split_once(">\n")?;
    let title = escaped(title);
    Some(format!(
        "{head} role=\"img\" aria-label=\"{title}\" style=\"--width:{width}px\">\n\
         <title>{title}</title>\n{}{rest}",
        style::night()
    ))
}
