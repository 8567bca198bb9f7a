//! The flag that says where to compute.

use clap::Args;

use super::Failure;
use promptshift_tensors::device::{self, Device};

#[derive(Debug, Args)]
pub struct On {
    /// Where to compute: cpu, cuda or cuda:N, vulkan, wgpu; all but the first where they are compiled in.
    #[arg(long, env = device::VARIABLE, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
}

impl On {
    pub fn find(&self) -> Result<Device, Failure> {
        device::find(&self.device).map_err(Failure::usage)
    }
}
