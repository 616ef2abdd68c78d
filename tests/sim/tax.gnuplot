# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set output dir."/tax.png"
set title "Idle-memory tax: 0 %, then 75 % from minute 20"
set xlabel "minutes"
set ylabel "MB"
set y2label "operations a second"
set y2tics
set yrange [0:300]
set y2range [0:*]
file = dir."/tax.csv"
plot file using ($1/60):3 lw 2 title "busy: holds", file using ($1/60):4 lw 2 title "idle: holds", \
     file using ($1/60):5 dt 2 title "busy: active", file using ($1/60):6 dt 2 title "idle: active", \
     file using ($1/60):7 axes x1y2 lc rgb "#999999" title "busy: operations"
