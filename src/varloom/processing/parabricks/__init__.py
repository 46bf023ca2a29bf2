"""Parabricks of NVIDIA: secondary analysis on a GPU, as a program of this machine or in a container.

It was written from its documentation and public logs, and tested with a strict stand-in; it never ran on a GPU here.
"""
