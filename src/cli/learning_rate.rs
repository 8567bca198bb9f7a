//! `--learning-rate`: methods need learning rates that differ by orders of magnitude, so a single number is only
//! accepted if one method is tuned.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{anyhow, bail};

use super::values::method;
use promptshift_numbers::recipe::Method;

/// One value of the flag: `0.3` or `prompt=0.3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// `None` if no method is named.
    method: Option<Method>,
    rate: f64,
}

impl FromStr for LearningRate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (method, rate) = match text.split_once('=') {
            Some((name, rate)) => (Some(method(name.trim())?), rate),
            None => (None, text),
        };
        match rate.trim().parse::<f64>() {
            Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(LearningRate { method, rate }),
            _ => Err(anyhow!(
                "wanted a number above 0 (0.3), or METHOD=NUMBER (prompt=0.3), found '{text}'"
            )),
        }
    }
}

/// The learning rate of each method that the flag sets.
pub fn by_method(
    rates: &[LearningRate],
    tuned: &[Method],
) -> anyhow::Result<BTreeMap<Method, f64>> {
    let mut found = BTreeMap::new();
    for LearningRate { method, rate } in rates {
        let method = match (method, tuned) {
            (Some(method), _) if tuned.contains(method) => *method,
            (Some(method), _) => {
                bail!("--learning-rate for {}, which is not tuned", method.name())
            }
            (None, &[one]) => one,
            (None, _) => bail!(
                "--learning-rate {rate}: {} methods are tuned, wanted METHOD={rate}",
                tuned.len()
            ),
        };
        if found.insert(method, *rate).is_some() {
            bail!("--learning-rate: two of them for {}", method.name());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(flag: &str, tuned: &[Method]) -> Result<Vec<(Method, f64)>, String> {
        let rates = flag
            .split(',')
            .map(str::parse)
            .collect::<anyhow::Result<Vec<LearningRate>>>()
            .map_err(|error| error.to_string())?;
        let found = by_method(&rates, tuned).map_err(|error| error.to_string())?;
        Ok(found.into_iter().collect())
    }

    #[test]
    fn a_number_for_one_method_and_names_for_several() {
        use Method::{Model, Prompt};
        assert_eq!(resolved("0.3", &[Prompt]), Ok(vec![(Prompt, 0.3)]));
        assert_eq!(
            resolved("model=1e-3,prompt=0.5", &[Prompt, Model]),
            Ok(vec![(Prompt, 0.5), (Model, 1e-3)])
        );
    }

    #[test]
    fn impossible_values_are_refused() {
        use Method::{Model, Prompt};
        for (flag, tuned, wanted) in [
            ("0.3", vec![Prompt, Model], "wanted METHOD=0.3"),
            ("prompt=0", vec![Prompt], "a number above 0"),
            ("nan", vec![Prompt], "a number above 0"),
            ("prompt=fast", vec![Prompt], "found 'prompt=fast'"),
            ("promt=0.3", vec![Prompt], "did you mean 'prompt'"),
            ("model=0.3", vec![Prompt], "model, which is not tuned"),
            ("0.3,prompt=0.1", vec![Prompt], "two of them"),
        ] {
            let error = resolved(flag, &tuned).expect_err(flag);
            assert!(error.contains(wanted), "{flag}: {error}");
        }
    }
}
