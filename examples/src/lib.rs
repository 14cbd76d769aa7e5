//! Short programs, one for each thing that a user wants to do.
