# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set output dir."/sampling.png"
set title "Sampling error against the truth"
set xlabel "pages sampled in a period"
set ylabel "points"
set logscale x
set xtics (25, 50, 100, 200, 400, 1000)
set yrange [0:*]
file = dir."/sampling.csv"
plot file using 1:3 with linespoints title "mean width of the 95 % interval", file using 1:5 with linespoints title "worst error", \
     file using 1:4 with linespoints title "mean error"
