//! The share of a model's parameters that each method trains, a row a method and a dot a model: figure 4 of
//! Lester et al. 2021, turned so that twenty methods have room for their names.

use plotters::element::Circle;
use plotters::style::{Color, WHITE};

use super::Drawn;
use super::style::{Anchor, Canvas, FAINT, GRID, INK, Point, line, series, text, width};

/// What is drawn.
pub struct Shares {
    /// The models, each a dot in every row.
    pub models: Vec<String>,
    /// Methods by their titles, with the share for each model, above 0; none where the method is not for it.
    pub methods: Vec<(&'static str, Vec<Option<f64>>)>,
}

const LEFT: i32 = 240;
const RIGHT: i32 = 724;
const TOP: i32 = 96;
const ROW: i32 = 22;
const MARGIN: i32 = 16;

/// The figure's width and height.
pub(super) fn size(shares: &Shares) -> (u32, u32) {
    let height = TOP + ROW * shares.methods.len() as i32 + 56;
    ((RIGHT + 2 * MARGIN).unsigned_abs(), height.unsigned_abs())
}

/// The powers of ten around all shares.
fn decades(shares: &Shares) -> (i32, i32) {
    let all = shares.methods.iter().flat_map(|(_, shares)| shares);
    let (low, high) = (all.flatten()).fold((0.1_f64, 0.1_f64), |(low, high), share| {
        (low.min(*share), high.max(*share))
    });
    (low.log10().floor() as i32, high.log10().ceil() as i32)
}

pub(super) fn draw(canvas: &Canvas, shares: &Shares) -> Drawn {
    canvas.fill(&WHITE)?;
    let title = "Share of the parameters that is trained";
    text(canvas, title, (MARGIN, 22), 17, INK, Anchor::Left)?;
    legend(canvas, &shares.models)?;
    let (low, high) = decades(shares);
    let column = |share: f64| {
        let along = (share.log10() - f64::from(low)) / f64::from(high - low);
        LEFT + (along * f64::from(RIGHT - LEFT)).round() as i32
    };
    let bottom = TOP + ROW * shares.methods.len() as i32;
    for decade in low..=high {
        let share = 10f64.powi(decade);
        let upright = vec![(column(share), TOP - 8), (column(share), bottom)];
        line(canvas, upright, GRID.into(), 1)?;
        let at: Point = (column(share), bottom + 14);
        text(canvas, &percent(decade), at, 12, FAINT, Anchor::Middle)?;
    }
    let below: Point = ((LEFT + RIGHT) / 2, bottom + 38);
    text(
        canvas,
        "% of all parameters, logarithmic",
        below,
        13,
        INK,
        Anchor::Middle,
    )?;
    for (at, (method, shares)) in shares.methods.iter().enumerate() {
        let row = TOP + ROW * at as i32 + ROW / 2 - 4;
        text(canvas, method, (LEFT - 14, row), 13, INK, Anchor::Right)?;
        let columns: Vec<Option<i32>> = shares.iter().map(|share| share.map(column)).collect();
        let there = || columns.iter().flatten().copied();
        if let (Some(from), Some(to)) = (there().min(), there().max()) {
            line(canvas, vec![(from, row), (to, row)], GRID.into(), 2)?;
        }
        for (model, column) in columns.iter().enumerate() {
            if let Some(column) = column {
                canvas.draw(&Circle::new((*column, row), 5, series(model).filled()))?;
            }
        }
    }
    Ok(())
}

fn legend(canvas: &Canvas, models: &[String]) -> Drawn {
    let mut x = MARGIN;
    for (number, model) in models.iter().enumerate() {
        canvas.draw(&Circle::new((x + 5, 54), 5, series(number).filled()))?;
        text(canvas, model, (x + 16, 54), 13, INK, Anchor::Left)?;
        x += 16 + width(model, 13) + 18;
    }
    Ok(())
}

/// `0.001` of the decade −5: a share of 10⁻⁵ in percent.
fn percent(decade: i32) -> String {
    match decade + 2 {
        above @ 0.. => format!("{}", 10f64.powi(above)),
        below => format!("{:.*}", below.unsigned_abs() as usize, 10f64.powi(below)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_hold_all_shares_and_are_named_in_percent() {
        let shares = Shares {
            models: vec!["small".to_owned(), "xxl".to_owned()],
            methods: vec![
                ("a", vec![Some(6.6e-4), Some(3.7e-5)]),
                ("b", vec![Some(1.0), None]),
            ],
        };
        assert_eq!(decades(&shares), (-5, 0));
        let names = [-5, -3, -2, 0].map(percent);
        assert_eq!(names, ["0.001", "0.1", "1", "100"]);
    }
}
