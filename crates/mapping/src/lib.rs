//! Role map and directory to desired permissions; validate, explain. Pure.
