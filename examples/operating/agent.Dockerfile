FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev
COPY agent.js ./
RUN mkdir -m 0700 /state && chown node:node /state
USER node
ENV MOLECULE_STATE_DIR=/state
CMD ["node", "agent.js"]
