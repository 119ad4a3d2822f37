//! Integration tests, one file per room.
