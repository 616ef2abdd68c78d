# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set output dir."/active.png"
set title "Active memory against a toucher (100 pages sampled in 30 s)"
set xlabel "minutes"
set ylabel "MB"
set yrange [0:*]
file = dir."/active.csv"
plot file using ($1/60):5:6 with filledcurves lc rgb "#dddddd" title "95 % interval", \
     file using ($1/60):3 lw 3 title "truth", file using ($1/60):8 dt 2 title "sweep", \
     file using ($1/60):4 with steps title "raw sample", file using ($1/60):7 lw 2 title "estimate"
