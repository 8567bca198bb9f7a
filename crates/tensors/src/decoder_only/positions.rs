//! Rotary positions and windows of a network whose layers differ: global layers see all tokens, local ones the last
//! few, rotated by frequencies of their own, and some layers are not rotated at all.

use super::config::{DecoderConfig, LayerKind, Positions};
use crate::layers::rotary::{Turns, frequencies};

/// Rotary positions; without frequencies for learned ones.
#[derive(Debug, Clone)]
pub(super) struct Rotary {
    /// The factor of attention's scores, which queries' rotations include.
    factor: f32,
    /// Radians per position in global layers.
    global: Vec<f64>,
    /// Radians per position in local layers.
    local: Vec<f64>,
    /// The window of local layers, if there are any.
    window: Option<usize>,
}

impl Rotary {
    pub(super) fn of(config: &DecoderConfig) -> Self {
        let frequencies = |theta, scaling| frequencies(config.head_width, theta, scaling);
        Rotary {
            factor: (config.query_scalar as f32).powf(-0.5),
            global: match config.positions {
                Positions::Rotary { theta, scaling } => frequencies(theta, scaling),
                Positions::Learned(_) => Vec::new(),
            },
            local: (config.local)
                .map_or(Vec::new(), |local| frequencies(local.theta, local.scaling)),
            window: config.local.map(|local| local.window),
        }
    }

    /// The rotations of rows at these positions, in global and in local layers.
    pub(super) fn at(&self, positions: &[usize]) -> Rotations {
        let turns = |frequencies: &[f64]| {
            let turns = || Turns::by(self.factor, positions, frequencies);
            (!frequencies.is_empty()).then(turns)
        };
        Rotations {
            global: turns(&self.global),
            local: turns(&self.local),
        }
    }

    /// The window of local layers behind so many keys without a position.
    pub(super) fn window(&self, prefix: usize) -> Option<Window> {
        self.window.map(|size| Window { size, prefix })
    }
}

/// The rotations of a pass in each kind of layer.
pub(super) struct Rotations {
    global: Option<Turns>,
    local: Option<Turns>,
}

impl Rotations {
    pub(super) fn of(&self, kind: LayerKind) -> Option<&Turns> {
        match kind {
            LayerKind::Global => self.global.as_ref(),
            LayerKind::Local => self.local.as_ref(),
            LayerKind::Unrotated => None,
        }
    }
}

/// What a query of a local layer sees.
#[derive(Clone, Copy)]
pub(super) struct Window {
    /// The number of tokens, its own included.
    pub(super) size: usize,
    /// The number of keys without a position, before the others, which it sees as well.
    pub(super) prefix: usize,
}
