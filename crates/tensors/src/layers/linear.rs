//! Linear layers with the deltas that tuning adds (a low-rank update, a bias, scales), and norms.

use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::unfilled;
use promptshift_kernels as kernels;

/// A linear layer `y = x W + b`, `W` `[in, out]`, with the delta that tuning adds.
#[derive(Module, Debug)]
pub struct Linear {
    pub(crate) weight: Param<Tensor<2>>,
    /// `b` `[out]`; T5 and Llama have none.
    pub(crate) bias: Option<Param<Tensor<1>>>,
    /// The delta of a tuning method.
    pub delta: Option<Delta>,
}

impl Linear {
    /// A linear layer without bias, from a weight `[in, out]`.
    pub(crate) fn new(weight: Tensor<2>) -> Self {
        Linear {
            weight: Param::from_tensor(weight),
            bias: None,
            delta: None,
        }
    }

    /// A linear layer `[in, out]` without bias, to be loaded from a checkpoint.
    pub(crate) fn unfilled(shape: [usize; 2], device: &Device) -> Self {
        Linear {
            weight: unfilled(shape, device),
            bias: None,
            delta: None,
        }
    }

    /// Adds a bias, to be loaded from a checkpoint.
    pub(crate) fn with_unfilled_bias(self, device: &Device) -> Self {
        let [_, output] = self.weight.lazy_shape().dims();
        Linear {
            bias: Some(unfilled([output], device)),
            ..self
        }
    }

    /// Adds a bias.
    pub fn with_bias(self, bias: Tensor<1>) -> Self {
        Linear {
            bias: Some(Param::from_tensor(bias)),
            ..self
        }
    }

    /// `[N, in]` → `[N, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let bias = self.bias.as_ref().map(Param::val);
        match &self.delta {
            Some(delta) => delta.forward(x, self.weight.val(), bias),
            None => match bias {
                Some(bias) => kernels::affine(x, self.weight.val(), bias),
                None => kernels::linear(x, self.weight.val()),
            },
        }
    }

    /// Merges the low-rank update into the weight, which is f32 afterwards, so that inference has no extra cost.
    pub fn merge(&mut self) {
        let weight = self.weight.val().cast(FloatDType::F32);
        let merged = match &self.delta {
            Some(Delta {
                low_rank: Some(low_rank),
                ..
            }) => {
                let merged = weight + low_rank.dense();
                match low_rank.gain(&self.weight.val()) {
                    Some(gain) => merged * gain.unsqueeze(),
                    None => merged,
                }
            }
            Some(Delta {
                vera: Some(vera), ..
            }) => weight + vera.as_low_rank().dense(),
            _ => return,
        };
        self.weight = Param::from_tensor(merged.inner());
    }

    /// The norms of the weight's columns, `[out]`.
    pub(crate) fn column_norms(&self) -> Tensor<1> {
        squared_norms(self.weight.val()).sqrt()
    }
}

/// The squared norms of a weight's columns: `[in, out]` → `[out]`.
fn squared_norms(weight: Tensor<2>) -> Tensor<1> {
    let weight = weight.cast(FloatDType::F32);
    (weight.clone() * weight).sum_dim(0).squeeze_dim(0)
}

/// Additions to a linear layer `y = x W`, `W` `[in, out]`; each is optional:
/// `y = ((x ⊙ s_in) W + u(x ⊙ s_in) + b) ⊙ s_out`, where `u` is LoRA's or VeRA's update. The layer's own bias is
/// added to `b`.
#[derive(Module, Debug, Default)]
pub struct Delta {
    /// LoRA's two low-rank factors, and DoRA's magnitudes.
    pub low_rank: Option<LowRank>,
    /// VeRA's scales of shared projections.
    pub vera: Option<Vera>,
    /// `b` `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// `s_in` `[in]`.
    pub input_scale: Option<Param<Tensor<1>>>,
    /// `s_out` `[out]`.
    pub output_scale: Option<Param<Tensor<1>>>,
}

/// The low-rank update `scale · x A B`; the dense `A B` is never formed during tuning.
#[derive(Module, Debug)]
pub struct LowRank {
    /// `A` `[in, r]`.
    pub a: Param<Tensor<2>>,
    /// `B` `[r, out]`.
    pub b: Param<Tensor<2>>,
    /// `α/r`, or rsLoRA's `α/√r`.
    pub scale: f64,
    /// DoRA's magnitudes; LoRA has none.
    pub magnitude: Option<Magnitude>,
}

/// DoRA's magnitudes `m`: the output of `W' = W + scale · A B` is multiplied by `m / ‖W'‖`, column by column.
#[derive(Module, Debug)]
pub struct Magnitude {
    /// `m` `[out]`.
    pub values: Param<Tensor<1>>,
    /// `‖W‖²` of the frozen weight's columns, `[out]`.
    squared_norms: Tensor<1>,
}

impl Magnitude {
    /// Magnitudes `[out]` of a linear layer.
    pub(crate) fn new(values: Tensor<1>, linear: &Linear) -> Self {
        Magnitude {
            values: Param::from_tensor(values),
            squared_norms: squared_norms(linear.weight.val()),
        }
    }
}

impl LowRank {
    /// `[N, in]` → `[N, out]`: two low-rank products, scaled at width `r`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        kernels::linear(kernels::linear(x, self.a.val()) * self.scale, self.b.val())
    }

    /// `scale · A B` `[in, out]`, only for merging.
    fn dense(&self) -> Tensor<2> {
        self.a.val().matmul(self.b.val()) * self.scale
    }

    /// DoRA's factors of the output, `m / ‖W + scale · A B‖` `[out]`. The norm is a constant to gradients (§4.3 of the
    /// paper). It is computed as `‖w‖² + 2 scale · w·(A b) + scale² · ‖A b‖²` for every column, from `Aᵀ W` and `Aᵀ A`,
    /// so that no matrix of the weight's size is formed.
    fn gain(&self, weight: &Tensor<2>) -> Option<Tensor<1>> {
        let magnitude = self.magnitude.as_ref()?;
        let [a, b] = [&self.a, &self.b].map(|factor| factor.val().inner());
        let with_weight = kernels::linear(a.clone().transpose(), weight.clone().inner());
        let with_itself = a.clone().transpose().matmul(a).matmul(b.clone());
        let more = (with_weight * 2.0 + with_itself * self.scale) * b * self.scale;
        let squares = magnitude.squared_norms.clone() + more.sum_dim(0).squeeze_dim(0);
        // Rounding may make the norm of a column that is cancelled negative.
        let norms = squares.clamp_min(f32::MIN_POSITIVE).sqrt();
        Some(magnitude.values.val() / norms)
    }
}

/// VeRA's update `λ_b ⊙ ((λ_d ⊙ x A) B)`.
#[derive(Module, Debug)]
pub struct Vera {
    /// `λ_d` `[r]`.
    pub lambda_d: Param<Tensor<1>>,
    /// `λ_b` `[out]`.
    pub lambda_b: Param<Tensor<1>>,
    /// `A` `[in, r]`, frozen and shared with other layers.
    pub a: Tensor<2>,
    /// `B` `[r, out]`, frozen and shared with other layers.
    pub b: Tensor<2>,
}

impl Vera {
    /// `[N, in]` → `[N, out]`.
    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = kernels::linear(x, self.a.clone()) * self.lambda_d.val().unsqueeze();
        kernels::linear(hidden, self.b.clone()) * self.lambda_b.val().unsqueeze()
    }

    /// The same update with the scales multiplied into the projections.
    pub(crate) fn as_low_rank(&self) -> LowRank {
        let a = self.a.clone() * self.lambda_d.val().unsqueeze();
        let b = self.b.clone() * self.lambda_b.val().unsqueeze();
        LowRank {
            a: Param::from_tensor(a.inner()),
            b: Param::from_tensor(b.inner()),
            scale: 1.0,
            magnitude: None,
        }
    }
}

impl Delta {
    /// `[N, in]` → `[N, out]`.
    fn forward(&self, x: Tensor<2>, weight: Tensor<2>, own_bias: Option<Tensor<1>>) -> Tensor<2> {
        let x = match &self.input_scale {
            Some(scale) => x * scale.val().unsqueeze(),
            None => x,
        };
        let low_rank = (self.low_rank.as_ref()).map(|low_rank| low_rank.forward(x.clone()));
        let vera = (self.vera.as_ref()).map(|vera| vera.forward(x.clone()));
        let gain = (self.low_rank.as_ref()).and_then(|low_rank| low_rank.gain(&weight));
        let mut y = match &own_bias {
            Some(bias) if gain.is_none() => kernels::affine(x, weight, bias.clone()),
            _ => kernels::linear(x, weight),
        };
        if let Some(update) = low_rank.or(vera) {
            y = y + update;
        }
        if let Some(gain) = gain {
            y = y * gain.unsqueeze();
            if let Some(bias) = own_bias {
                y = y + bias.unsqueeze();
            }
        }
        if let Some(bias) = &self.bias {
            y = y + bias.val().unsqueeze();
        }
        match &self.output_scale {
            Some(scale) => y * scale.val().unsqueeze(),
            None => y,
        }
    }
}

/// Normalisation of rows: root-mean-square norm (T5, Llama), or layer norm with a bias (GPT-2, BERT) or
/// without one (ModernBERT).
#[derive(Module, Debug)]
pub struct Norm {
    pub(crate) gain: Param<Tensor<1>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    epsilon: f64,
    #[module(skip)]
    scaled: Scaled,
}

/// What a norm scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scaled {
    /// The values of a row.
    Values,
    /// Their differences from the row's mean.
    Differences,
    /// The values, by `1 + gain` in place of the gain.
    ByOnePlus,
}

impl Norm {
    /// A norm of width `D` without bias, `x / rms(x) ⊙ gain`, to be loaded from a checkpoint.
    pub(crate) fn unfilled(width: usize, epsilon: f64, device: &Device) -> Self {
        Norm {
            gain: unfilled([width], device),
            bias: None,
            epsilon,
            scaled: Scaled::Values,
        }
    }

    /// Makes it `x / rms(x) ⊙ (1 + gain)`, as in Gemma.
    pub(crate) fn by_one_plus_gain(self) -> Self {
        Norm {
            scaled: Scaled::ByOnePlus,
            ..self
        }
    }

    /// Makes it `(x - mean(x)) / deviation(x) ⊙ gain`.
    pub(crate) fn centred(self) -> Self {
        Norm {
            scaled: Scaled::Differences,
            ..self
        }
    }

    /// Adds a bias, which makes it `(x - mean(x)) / deviation(x) ⊙ gain + bias`.
    pub(crate) fn with_unfilled_bias(self, device: &Device) -> Self {
        let [width] = self.gain.lazy_shape().dims();
        Norm {
            bias: Some(unfilled([width], device)),
            ..self.centred()
        }
    }

    /// `D`.
    pub(crate) fn width(&self) -> usize {
        self.gain.lazy_shape().dims::<1>()[0]
    }

    /// `[N, D]` → `[N, D]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let gain = self.gain.val();
        match (&self.bias, self.scaled) {
            (Some(bias), _) => kernels::layer_norm(x, gain, bias.val(), self.epsilon),
            (None, Scaled::Values) => kernels::rms_norm(x, gain, self.epsilon),
            (None, Scaled::ByOnePlus) => kernels::rms_norm(x, gain + 1.0, self.epsilon),
            (None, Scaled::Differences) => {
                let none = Tensor::zeros(gain.dims(), &gain.device().without_autodiff());
                kernels::layer_norm(x, gain, none, self.epsilon)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    const N: usize = 3;
    const IN: usize = 5;
    const OUT: usize = 4;
    const R: usize = 2;

    /// Numbers in [-1, 1].
    fn values(count: usize, seed: usize) -> Vec<f64> {
        let value = |at: usize| ((at * 37 + seed * 53 + 11) % 97) as f64 / 48.0 - 1.0;
        (0..count).map(value).collect()
    }

    fn tensor<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<D> {
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn trained<const D: usize>(values: &[f64], shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(tensor(values, shape)).train()
    }

    /// `[rows, inner] × [inner, columns]`.
    fn product(one: &[f64], other: &[f64], [rows, inner, columns]: [usize; 3]) -> Vec<f64> {
        let cell = |at: usize| {
            let (row, column) = (at / columns, at % columns);
            (0..inner)
                .map(|k| one[row * inner + k] * other[k * columns + column])
                .sum()
        };
        (0..rows * columns).map(cell).collect()
    }

    fn assert_close(what: &str, found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len(), "{what}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(
                (found - wanted).abs() < 1e-5,
                "{what}: {found} for {wanted}"
            );
        }
    }

    fn plain<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        let values: Vec<f32> = tensor.into_data().try_to_vec().expect("f32");
        values.into_iter().map(f64::from).collect()
    }

    /// The derivatives of `loss` by each of `at`, by central differences.
    fn differences(at: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        const STEP: f64 = 1e-6;
        let moved = |place: usize, by: f64| {
            let mut values = at.to_vec();
            values[place] += by;
            loss(&values)
        };
        let derivative = |place| (moved(place, STEP) - moved(place, -STEP)) / (2.0 * STEP);
        (0..at.len()).map(derivative).collect()
    }

    /// `‖W + scale · A B‖` of the columns.
    fn norms(weight: &[f64], a: &[f64], b: &[f64], scale: f64) -> Vec<f64> {
        let update = product(a, b, [IN, R, OUT]);
        let square = |row: usize, column: usize| {
            let at = row * OUT + column;
            (weight[at] + scale * update[at]).powi(2)
        };
        let norm = |column| (0..IN).map(|row| square(row, column)).sum::<f64>().sqrt();
        (0..OUT).map(norm).collect()
    }

    #[test]
    fn dora_is_its_formula_and_its_gradients_take_the_norm_for_a_constant() {
        const SCALE: f64 = 1.5;
        let [x, weight] = [values(N * IN, 1), values(IN * OUT, 2)];
        let [a, b, m, bias] = [(IN * R, 3), (R * OUT, 4), (OUT, 5), (OUT, 6)]
            .map(|(count, seed)| values(count, seed));
        let constant = norms(&weight, &a, &b, SCALE);
        let output = |a: &[f64], b: &[f64], m: &[f64]| -> Vec<f64> {
            let frozen = product(&x, &weight, [N, IN, OUT]);
            let update = product(&product(&x, a, [N, IN, R]), b, [N, R, OUT]);
            let cell = |at: usize| {
                let column = at % OUT;
                (frozen[at] + SCALE * update[at]) * m[column] / constant[column] + bias[column]
            };
            (0..N * OUT).map(cell).collect()
        };
        let weights_of_loss = values(N * OUT, 7);
        let loss = |output: Vec<f64>| -> f64 {
            output
                .iter()
                .zip(&weights_of_loss)
                .map(|(y, c)| y * c)
                .sum()
        };

        let mut linear = Linear::new(tensor(&weight, [IN, OUT])).with_bias(tensor(&bias, [OUT]));
        let magnitude = Magnitude {
            values: trained(&m, [OUT]),
            ..Magnitude::new(linear.column_norms(), &linear)
        };
        linear.delta = Some(Delta {
            low_rank: Some(LowRank {
                a: trained(&a, [IN, R]),
                b: trained(&b, [R, OUT]),
                scale: SCALE,
                magnitude: Some(magnitude),
            }),
            ..Delta::default()
        });
        let y = linear.forward(tensor(&x, [N, IN]));
        assert_close("output", &plain(y.clone().inner()), &output(&a, &b, &m));

        let grads = (y * tensor(&weights_of_loss, [N, OUT])).sum().backward();
        let low_rank = linear
            .delta
            .as_ref()
            .and_then(|delta| delta.low_rank.as_ref());
        let low_rank = low_rank.expect("it was just made");
        let magnitude = low_rank.magnitude.as_ref().expect("it was just made");
        let of_a = plain(low_rank.a.val().grad(&grads).expect("it is trained"));
        assert_close("dA", &of_a, &differences(&a, |a| loss(output(a, &b, &m))));
        let of_b = plain(low_rank.b.val().grad(&grads).expect("it is trained"));
        assert_close("dB", &of_b, &differences(&b, |b| loss(output(&a, b, &m))));
        let of_m = plain(magnitude.values.val().grad(&grads).expect("it is trained"));
        assert_close("dm", &of_m, &differences(&m, |m| loss(output(&a, &b, m))));

        linear.merge();
        linear.delta = None;
        let merged = linear.forward(tensor(&x, [N, IN]));
        assert_close("merged", &plain(merged.inner()), &output(&a, &b, &m));
    }

    #[test]
    fn vera_is_its_formula_with_its_gradients() {
        let [x, weight] = [values(N * IN, 1), values(IN * OUT, 2)];
        let [a, b, lambda_d, lambda_b] =
            [(IN * R, 3), (R * OUT, 4), (R, 5), (OUT, 6)].map(|(count, seed)| values(count, seed));
        let output = |lambda_d: &[f64], lambda_b: &[f64]| -> Vec<f64> {
            let mut hidden = product(&x, &a, [N, IN, R]);
            let scaled = hidden.iter_mut().enumerate();
            scaled.for_each(|(at, value)| *value *= lambda_d[at % R]);
            let update = product(&hidden, &b, [N, R, OUT]);
            let frozen = product(&x, &weight, [N, IN, OUT]);
            let cell = |at: usize| frozen[at] + lambda_b[at % OUT] * update[at];
            (0..N * OUT).map(cell).collect()
        };
        let loss = |output: Vec<f64>| -> f64 { output.iter().map(|y| y * y).sum() };

        let mut linear = Linear::new(tensor(&weight, [IN, OUT]));
        linear.delta = Some(Delta {
            vera: Some(Vera {
                lambda_d: trained(&lambda_d, [R]),
                lambda_b: trained(&lambda_b, [OUT]),
                a: tensor(&a, [IN, R]),
                b: tensor(&b, [R, OUT]),
            }),
            ..Delta::default()
        });
        let y = linear.forward(tensor(&x, [N, IN]));
        assert_close(
            "output",
            &plain(y.clone().inner()),
            &output(&lambda_d, &lambda_b),
        );

        let grads = (y.clone() * y).sum().backward();
        let vera = linear.delta.as_ref().and_then(|delta| delta.vera.as_ref());
        let vera = vera.expect("it was just made");
        let of_d = plain(vera.lambda_d.val().grad(&grads).expect("it is trained"));
        let wanted = differences(&lambda_d, |lambda_d| loss(output(lambda_d, &lambda_b)));
        assert_close("dλ_d", &of_d, &wanted);
        let of_b = plain(vera.lambda_b.val().grad(&grads).expect("it is trained"));
        let wanted = differences(&lambda_b, |lambda_b| loss(output(&lambda_d, lambda_b)));
        assert_close("dλ_b", &of_b, &wanted);

        linear.merge();
        linear.delta = None;
        let merged = linear.forward(tensor(&x, [N, IN]));
        assert_close(
            "merged",
            &plain(merged.inner()),
            &output(&lambda_d, &lambda_b),
        );
    }
}
