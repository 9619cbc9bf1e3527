//! kapply
