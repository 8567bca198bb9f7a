//! How far training moved the trainable parameters.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use crate::tuning::Tuned;
use promptshift_numbers::record::Movement;

/// The movement from `start`, which does not require gradients, to `end`, whose trainable tensors do; `None` if a norm
/// is not finite.
pub(super) fn movement(start: &Tuned, end: &Tuned) -> Option<Movement> {
    let mut trained = Trained(HashMap::new());
    end.visit(&mut trained);
    let mut squares = Squares {
        ends: trained.0,
        start: 0.0,
        end: 0.0,
        change: 0.0,
    };
    start.visit(&mut squares);
    let movement = Movement {
        start_norm: squares.start.sqrt(),
        end_norm: squares.end.sqrt(),
        change_norm: squares.change.sqrt(),
    };
    let norms = [movement.start_norm, movement.end_norm, movement.change_norm];
    norms
        .iter()
        .all(|norm| norm.is_finite())
        .then_some(movement)
}

/// The trainable tensors, flattened and detached.
struct Trained(HashMap<ParamId, Tensor<1>>);

impl ModuleVisitor for Trained {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if value.is_require_grad() {
            self.0.insert(param.id, flat(value));
        }
    }
}

struct Squares {
    ends: HashMap<ParamId, Tensor<1>>,
    start: f64,
    end: f64,
    change: f64,
}

impl ModuleVisitor for Squares {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(end) = self.ends.remove(&param.id) {
            let start = flat(param.val());
            self.start += squared(start.clone());
            self.end += squared(end.clone());
            self.change += squared(end - start);
        }
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let tensor = tensor.without_autodiff();
    let count = tensor.shape().num_elements();
    tensor.reshape([count])
}

fn squared(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.square().sum().into_scalar::<f32>())
}
