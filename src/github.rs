//! GitHub Actions as seen from a step: workflow commands, command files.

pub mod commands;
pub mod files;
