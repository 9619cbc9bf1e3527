//! klab
