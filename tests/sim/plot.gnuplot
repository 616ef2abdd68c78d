# SPDX-License-Identifier: BSD-2-Clause
# What all plots have in common; `dir` is where the CSV files are.
set terminal pngcairo size 1000,560 font "Sans,11"
set datafile separator ","
set key outside right top
set grid
set style data lines
