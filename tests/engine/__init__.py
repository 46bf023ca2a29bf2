"""Tests of the engine with stages that do as a script says, so that every ending can be had at will."""
