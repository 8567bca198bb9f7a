//! Rotary positions (Su et al. 2021, "RoFormer", arXiv 2104.09864) in Llama's layout: coordinate `i` of a
//! head is rotated with coordinate `i + K/2`.

use serde_json::Value;

use promptshift_kernels::Rotation;

/// How wavelengths are scaled so that a network can read longer inputs than in pre-training (Transformers,
/// `modeling_rope_utils.py`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scaling {
    /// Unchanged.
    None,
    /// Scales all wavelengths by one factor.
    Linear(f64),
    /// Scales long wavelengths by a factor and leaves short ones unchanged (Llama 3).
    Llama3 {
        /// The factor.
        factor: f64,
        /// Wavelengths above the original length divided by this are scaled by the full factor.
        low: f64,
        /// Wavelengths below the original length divided by this are not scaled.
        high: f64,
        /// The original context length.
        original: f64,
    },
}

/// The supported keys of a scaling; the last seven belong to types that are rejected by name.
const KNOWN: [&str; 14] = [
    "rope_type",
    "type",
    "rope_theta",
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "mscale",
    "mscale_all_dim",
    "short_factor",
    "long_factor",
];

impl Scaling {
    /// Parses `rope_scaling` or, in newer files, `rope_parameters`.
    ///
    /// # Errors
    /// An unsupported type; returns the error text.
    pub fn of_json(json: Option<&Value>) -> Result<Self, String> {
        let Some(json) = json.filter(|json| !json.is_null()) else {
            return Ok(Scaling::None);
        };
        let number = |key: &str| {
            let found = json.get(key).and_then(Value::as_f64);
            found
                .filter(|value| value.is_finite() && *value > 0.0)
                .ok_or_else(|| format!("rope_scaling {json} without a {key} above 0"))
        };
        for (key, value) in json.as_object().into_iter().flatten() {
            let is_known = match key.as_str() {
                "partial_rotary_factor" => value.as_f64() == Some(1.0),
                key => KNOWN.contains(&key),
            };
            if !is_known && !value.is_null() {
                return Err(format!("{key} {value} of rotary positions"));
            }
        }
        let kind = json.get("rope_type").or_else(|| json.get("type"));
        match kind.and_then(Value::as_str) {
            None if json.get("factor").is_some() => {
                Err(format!("rope_scaling {json} without a rope_type"))
            }
            None | Some("default") => Ok(Scaling::None),
            Some("linear") => Ok(Scaling::Linear(number("factor")?)),
            Some("llama3") => Ok(Scaling::Llama3 {
                factor: number("factor")?,
                low: number("low_freq_factor")?,
                high: number("high_freq_factor")?,
                original: number("original_max_position_embeddings")?,
            }),
            Some(other) => Err(format!(
                "rope_type '{other}'; linear and llama3 are supported"
            )),
        }
    }

    fn frequency(self, frequency: f64) -> f64 {
        match self {
            Scaling::None => frequency,
            Scaling::Linear(factor) => frequency / factor,
            Scaling::Llama3 {
                factor,
                low,
                high,
                original,
            } => {
                let wavelengths = original * frequency / std::f64::consts::TAU;
                // 0 where the full factor applies, 1 where it does not apply at all.
                let share = ((wavelengths - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - share) * frequency / factor + share * frequency
            }
        }
    }
}

/// Radians per position for each pair of coordinates, `[K/2]`.
pub(crate) fn frequencies(head_width: usize, theta: f64, scaling: Scaling) -> Vec<f64> {
    (0..head_width / 2)
        .map(|pair| theta.powf(-2.0 * pair as f64 / head_width as f64))
        .map(|frequency| scaling.frequency(frequency))
        .collect()
}

/// The rotations of a pass.
pub(crate) struct Turns {
    pub(crate) keys: Rotation,
    /// Includes attention's factor of the scores.
    pub(crate) queries: Rotation,
}

impl Turns {
    /// The rotations of rows at these positions, with the usual factor `1/√K`; `frequencies` are those of
    /// [`frequencies`], `[K/2]`.
    pub(crate) fn new(positions: &[usize], frequencies: &[f64]) -> Self {
        let head_width = 2.0 * frequencies.len() as f32;
        Turns::by(head_width.powf(-0.5), positions, frequencies)
    }

    /// The same with another factor.
    pub(crate) fn by(factor: f32, positions: &[usize], frequencies: &[f64]) -> Self {
        let keys = Rotation::new(positions, frequencies);
        Turns {
            queries: keys.scaled(factor),
            keys,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_scales_only_long_wavelengths() {
        let scaling = Scaling::Llama3 {
            factor: 32.0,
            low: 1.0,
            high: 4.0,
            original: 8192.0,
        };
        let plain = frequencies(64, 500_000.0, Scaling::None);
        let scaled = frequencies(64, 500_000.0, scaling);
        assert_eq!(plain[0], scaled[0]);
        assert!((plain[31] / scaled[31] - 32.0).abs() < 1e-9);
        assert!(plain.iter().zip(&scaled).all(|(p, s)| s <= p));
    }
}
