//! A port of this machine forwarded to the host's loopback, in a process of its own that reconnects by itself.

use std::path::Path;

use crate::report::Exit;

/// Serves the tunnel of a job until it is torn down.
pub async fn serve(_state: &Path) -> Exit {
    std::future::ready(()).await;
    Exit::Infrastructure
}
