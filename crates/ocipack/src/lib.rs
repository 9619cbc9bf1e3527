//! ocipack
