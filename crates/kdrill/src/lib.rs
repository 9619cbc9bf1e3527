//! kdrill
