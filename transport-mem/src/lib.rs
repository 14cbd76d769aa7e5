//! Messages between parts of one process, over links whose faults are programmed.
