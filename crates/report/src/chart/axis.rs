//! Axes: scales from values to fractions of a length, and ticks.

use crate::number::{percent, whole};
use promptshift_numbers::stats::estimate::logit;

/// Amounts whose ratio exceeds this are shown on a logarithmic axis.
const FAR_APART: f64 = 30.0;

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its title; empty if it is obvious.
    pub name: String,
    pub scale: Scale,
    /// The ticks, by ascending value.
    pub ticks: Vec<(f64, String)>,
}

/// A scale from values to fractions of the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Linear between two values.
    Linear(f64, f64),
    /// Logarithmic between two values above zero.
    Log(f64, f64),
    /// Logarithmic, with zero one power of ten below the first value.
    ZeroAndLog(f64, f64),
    /// Linear in the logit between two values in (0, 1).
    Logit(f64, f64),
    /// This number of evenly spaced places; the first has the value 0, the second 1.
    Places(usize),
}

impl Scale {
    /// The position of a value, as a fraction of the axis.
    pub fn share(self, value: f64) -> f64 {
        match self {
            Scale::Linear(low, high) => (value - low) / (high - low),
            Scale::Log(low, high) => (value / low).ln() / (high / low).ln(),
            Scale::ZeroAndLog(..) if value == 0.0 => 0.0,
            Scale::ZeroAndLog(low, high) => Scale::Log(low / 10.0, high).share(value),
            Scale::Logit(low, high) => (logit(value) - logit(low)) / (logit(high) - logit(low)),
            Scale::Places(count) => (value + 0.5) / count.max(1) as f64,
        }
    }
}

impl Axis {
    /// An axis with these ticks.
    pub fn new(name: impl Into<String>, scale: Scale, ticks: Vec<(f64, String)>) -> Axis {
        Axis {
            name: name.into(),
            scale,
            ticks,
        }
    }

    /// Evenly spaced names.
    pub fn places(name: impl Into<String>, names: &[String]) -> Axis {
        let ticks = names.iter().enumerate();
        let ticks = ticks.map(|(place, name)| (place as f64, name.clone()));
        Axis::new(name, Scale::Places(names.len()), ticks.collect())
    }

    /// From 0 to 100 %.
    pub fn unit(name: impl Into<String>) -> Axis {
        Axis::percent(name, 0, 100)
    }

    /// Percent, from a multiple of ten below scores in [0, 1] to one above; from zero unless all scores are far above
    /// it.
    pub fn scores(name: impl Into<String>, scores: impl IntoIterator<Item = f64>) -> Axis {
        let (least, most) = (scores.into_iter().map(|score| score.clamp(0.0, 1.0)))
            .fold((1.0_f64, 0.0_f64), |(least, most), score| {
                (least.min(score), most.max(score))
            });
        let high = ((10.0 * most + 0.3).ceil() as i32 * 10).clamp(20, 100);
        let low = match least < 0.45 {
            true => 0,
            false => (10.0 * least - 0.5).floor() as i32 * 10,
        };
        Axis::percent(name, low.min(high - 20), high)
    }

    /// Percent on a logit scale, between ticks around scores in (0, 1).
    pub fn logits(name: impl Into<String>, scores: impl IntoIterator<Item = f64>) -> Axis {
        const TICKS: [f64; 11] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 0.99];
        let (least, most) = (scores.into_iter())
            .fold((1.0_f64, 0.0_f64), |(least, most), score| {
                (least.min(score), most.max(score))
            });
        let last = TICKS.len() - 1;
        let low = TICKS.iter().rposition(|tick| *tick <= least).unwrap_or(0);
        let low = low.min(last - 1);
        let high = TICKS.iter().position(|tick| *tick >= most).unwrap_or(last);
        let shown = &TICKS[low..=high.max(low + 1)];
        let ticks = shown.iter().map(|tick| (*tick, percent(*tick)));
        let ticks = ticks.map(|(tick, words)| (tick, words.trim_end_matches(".0").to_owned()));
        Axis::new(
            name,
            Scale::Logit(shown[0], shown[shown.len() - 1]),
            ticks.collect(),
        )
    }

    fn percent(name: impl Into<String>, low: i32, high: i32) -> Axis {
        let step = if high - low > 50 { 20 } else { 10 };
        let share = |percent: i32| f64::from(percent) / 100.0;
        let ticks = (low..=high).step_by(step);
        let ticks = ticks.map(|percent| (share(percent), percent.to_string()));
        Axis::new(
            name,
            Scale::Linear(share(low), share(high)),
            ticks.collect(),
        )
    }

    /// The first and the last value.
    pub fn ends(&self) -> [f64; 2] {
        match self.scale {
            Scale::Linear(low, high)
            | Scale::Log(low, high)
            | Scale::ZeroAndLog(low, high)
            | Scale::Logit(low, high) => [low, high],
            Scale::Places(count) => [-0.5, count as f64 - 0.5],
        }
    }

    /// Non-negative amounts: linear from zero, or logarithmic if they differ too much.
    pub fn amounts(name: impl Into<String>, amounts: &[f64]) -> Axis {
        let positive = amounts.iter().copied().filter(|amount| *amount > 0.0);
        let (least, most) = positive.fold((f64::INFINITY, 0.0_f64), |(least, most), amount| {
            (least.min(amount), most.max(amount))
        });
        if most > FAR_APART * least {
            let low = least.log10().floor() as i32;
            let high = (most.log10().ceil() as i32).max(low + 1);
            let powers = Axis::powers(name, low, high, short);
            return match amounts.contains(&0.0) {
                false => powers,
                true => Axis {
                    scale: Scale::ZeroAndLog(10_f64.powi(low), 10_f64.powi(high)),
                    ticks: std::iter::once((0.0, "0".to_owned()))
                        .chain(powers.ticks)
                        .collect(),
                    ..powers
                },
            };
        }
        let most = if most > 0.0 { 1.12 * most } else { 1.0 };
        let step = step(most);
        let ticks = (0..=(most / step).ceil() as i32).map(|tick| f64::from(tick) * step);
        let ticks: Vec<(f64, String)> = ticks.map(|tick| (tick, short(tick))).collect();
        let high = ticks.last().map_or(1.0, |tick| tick.0);
        Axis::new(name, Scale::Linear(0.0, high), ticks)
    }

    /// From ten to the power `low` to ten to the power `high`.
    pub fn powers(
        name: impl Into<String>,
        low: i32,
        high: i32,
        show: impl Fn(f64) -> String,
    ) -> Axis {
        let every = ((high - low) / 5 + 1) as usize;
        let ticks = (low..=high).step_by(every).map(|power| 10_f64.powi(power));
        Axis::new(
            name,
            Scale::Log(10_f64.powi(low), 10_f64.powi(high)),
            ticks.map(|value| (value, show(value))).collect(),
        )
    }

    /// Steps from 0 to the last, with ticks at the quarters.
    pub fn steps(name: impl Into<String>, last: usize) -> Axis {
        let last = last.max(1) as f64;
        let quarter = |part: u32| f64::from(part) / 4.0 * last;
        let ticks = (0..=4).map(|part| (quarter(part), whole(quarter(part))));
        Axis::new(name, Scale::Linear(0.0, last), ticks.collect())
    }
}

/// A round step that divides an axis into two to five parts.
fn step(high: f64) -> f64 {
    let power = 10_f64.powf(high.log10().floor());
    ([0.2, 0.5, 1.0, 2.0].into_iter())
        .map(|step| step * power)
        .find(|step| high / step <= 5.0)
        .unwrap_or(2.0 * power)
}

/// A round amount in few letters: `20`, `0.5`, `10 k`, `1 M`.
fn short(amount: f64) -> String {
    let (value, unit) = match amount {
        _ if amount >= 1e9 => (amount / 1e9, " G"),
        _ if amount >= 1e6 => (amount / 1e6, " M"),
        _ if amount >= 1e3 => (amount / 1e3, " k"),
        _ => (amount, ""),
    };
    // At most two decimals, without trailing zeros.
    let digits = format!("{value:.2}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, name)| name.as_str()).collect()
    }

    #[test]
    fn the_range_is_round_and_contains_the_scores() {
        let ends = |scores: &[f64]| {
            let axis = Axis::scores("", scores.iter().copied());
            axis.ends().map(|end| (100.0 * end).round())
        };
        assert_eq!(ends(&[0.12, 0.71]), [0.0, 80.0]);
        assert_eq!(ends(&[0.99]), [80.0, 100.0]);
        assert_eq!(ends(&[0.0, 0.0]), [0.0, 20.0]);
        assert_eq!(ends(&[0.62, 0.81]), [50.0, 90.0]);
    }

    #[test]
    fn logits_are_evenly_spaced_between_ticks_around_the_scores() {
        let axis = Axis::logits("", [0.09, 0.8]);
        assert_eq!(named(&axis), ["5", "10", "20", "35", "50", "70", "85"]);
        assert!((axis.scale.share(0.05)).abs() < 1e-12);
        assert!((axis.scale.share(0.85) - 1.0).abs() < 1e-12);
        let apart = |from, to| axis.scale.share(to) - axis.scale.share(from);
        assert!((apart(0.1, 0.5) - apart(0.5, 0.9)).abs() < 1e-12);
        assert_eq!(Axis::logits("", [0.001, 0.999]).ends(), [0.01, 0.99]);
        assert_eq!(Axis::logits("", [0.995]).ends(), [0.95, 0.99]);
    }

    #[test]
    fn amounts_of_similar_size_are_linear_and_others_logarithmic() {
        let near = Axis::amounts("", &[40.0, 55.0]);
        assert_eq!(near.scale, Scale::Linear(0.0, 80.0));
        assert_eq!(named(&near), ["0", "20", "40", "60", "80"]);
        let far = Axis::amounts("", &[2_560.0, 1_542_144.0]);
        assert_eq!(far.scale, Scale::Log(1e3, 1e7));
        assert!((far.scale.share(1e5) - 0.5).abs() < 1e-12);
        let with_zero = Axis::amounts("", &[2_560.0, 0.0, 1_542_144.0]);
        assert_eq!(
            named(&with_zero),
            ["0", "1 k", "10 k", "100 k", "1 M", "10 M"]
        );
        let shares = [0.0, 1e3, 1e7].map(|amount| with_zero.scale.share(amount));
        assert!(
            (shares.iter())
                .zip([0.0, 0.2, 1.0])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
        assert_eq!(Axis::amounts("", &[]).scale, Scale::Linear(0.0, 1.0));
    }

    #[test]
    fn round_amounts_are_short() {
        let shown = [0.0, 0.25, 20.0, 1_000.0, 10_000.0, 1e6, 2.5e9].map(short);
        assert_eq!(shown, ["0", "0.25", "20", "1 k", "10 k", "1 M", "2.5 G"]);
    }
}
