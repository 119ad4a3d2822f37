//! GitHub Actions as seen from a step: workflow commands, command files; and its API.

pub mod api;
pub mod commands;
pub mod event;
pub mod files;
