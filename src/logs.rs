//! What is collected of a cluster: snapshot, findings, bundle, report.
