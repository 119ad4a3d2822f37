//! The programs that the chain uses, kind and kustomize: found, or downloaded and verified, by version and SHA-256.
