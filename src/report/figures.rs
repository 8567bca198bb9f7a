//! Figures in SVG: scores from source to targets, and learning curves.

mod axis;
mod curves;
mod legend;
mod slopes;
mod style;

use std::error::Error;

use plotters::prelude::{IntoDrawingArea, SVGBackend};

use super::comparison::Comparison;
use super::error::ReportError;
use super::study::Study;
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
    let transfer = format!("{} → {}", comparison.source, comparison.targets.join(", "));
    let mut figures = vec![picture(
        format!("scores{suffix}.svg"),
        format!("Scores from source to target: {transfer}"),
        slopes::size(comparison),
        |canvas| slopes::draw(canvas, comparison),
    )?];
    if comparison.tuned().next().is_some() {
        figures.push(picture(
            format!("curves{suffix}.svg"),
            format!("Learning curves on {} validation", comparison.source),
            curves::SIZE,
            |canvas| curves::draw(canvas, study, comparison),
        )?);
    }
    Ok(figures)
}

fn picture(
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
    match drawn {
        Ok(()) => Ok(Figure { name, title, svg }),
        Err(error) => Err(ReportError::Figure {
            figure: name,
            reason: error.to_string(),
        }),
    }
}
