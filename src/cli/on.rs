//! The `--device` flag.

use clap::Args;

use super::{Failure, help};
use promptshift_tensors::device::{self, Device};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = help::COMPUTING)]
pub struct On {
    /// cpu; or cuda, cuda:N, vulkan, wgpu if compiled in.
    #[arg(long, env = device::VARIABLE, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
}

impl On {
    pub fn find(&self) -> Result<Device, Failure> {
        device::find(&self.device).map_err(Failure::usage)
    }
}
