//! Proves a tree of Kubernetes manifests on a throw-away cluster, and leaves nothing behind.
